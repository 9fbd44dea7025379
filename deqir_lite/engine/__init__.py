"""The same system on several devices: its network shared out among processes."""
