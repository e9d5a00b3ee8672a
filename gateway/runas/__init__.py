"""Act as tenants' Unix users, and nothing else: the only code of the gateway that runs as root. See README.md."""
