"""Which IAM permissions the calls of our programs need, recorded at the local AWS, and whether a policy gives them."""
