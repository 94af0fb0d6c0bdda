"""Pages over recordings. Every one fetches through ``visible_to`` and is itself written down."""
