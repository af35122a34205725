"""The stack for teams that must use tools of their own: CloudFormation, Terraform, and the policies as JSON."""
