"""What the user can mend."""


class UserError(Exception):
    """Something the user can mend: says in one line what is wrong, where, and what to do."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))
