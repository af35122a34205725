"""AWS resources: plan, apply, destroy, image build; `local/` is the embedded stand-in for AWS."""
