"""Why something that is asked of the page is not done."""


class Refused(Exception):
    """It cannot be shown or done; `status` is HTTP's word for why, the text is for people."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)
