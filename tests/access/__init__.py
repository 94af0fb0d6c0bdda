"""The role matrix: every URL, socket and door asked as every role, and written down as answered.

``make access`` writes docs/access.md; ``test_matrix.py`` holds it equal to what is asked now.
"""
