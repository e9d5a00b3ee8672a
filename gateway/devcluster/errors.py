"""Say what can go wrong with the dev cluster."""


class DevClusterError(Exception):
    """The dev cluster could not do what was asked; the message says what happened and what to do next."""
