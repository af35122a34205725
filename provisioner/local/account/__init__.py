"""The account around Batch: IAM, EC2 and quotas, by moto where moto has them."""
