class _Options:
    disable_metadata: bool

args: _Options
