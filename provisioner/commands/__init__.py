"""Commands of the provisioner, one module each."""
