"""The stack for teams that must use tools of their own: a CloudFormation template, and the policies as JSON."""
