"""One module a command of the provisioner."""
