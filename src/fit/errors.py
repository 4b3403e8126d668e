"""The errors that are a person's to mend, told in one sentence."""


class FitError(Exception):
    """A setting, file or folder that cannot be used; its text is the sentence that the user reads."""
