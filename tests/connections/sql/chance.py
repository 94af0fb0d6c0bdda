"""Choices taken one by one from bytes: generating is quick, and fewer or smaller bytes are simpler.

Hypothesis draws the bytes and shrinks them; when they run out, every choice is the first.
"""


class Chance:
    def __init__(self, data):
        self._data = iter(data)
        self._names = 0

    def below(self, number):
        return next(self._data, 0) % number

    def pick(self, options):
        return options[self.below(len(options))]

    def percent(self, number):
        """Whether something happens that happens this often, out of a hundred times."""
        return next(self._data, 0) * 100 >= (100 - number) * 256

    def name(self, prefix):
        """A name that nothing else in the statement has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def some(self, options, least=1):
        """A few of the options, in their order."""
        kept = [o for o in options if self.percent(50)]
        return kept if len(kept) >= least else list(options[:least])
