"""The embedded stand-in for AWS that `scaler-batch local` and the tests use: `aws.LocalAWS`, `cluster.LocalCluster`."""
