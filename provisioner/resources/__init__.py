"""AWS resources, one module each: how it is read, what it should be, and the steps from one to the other."""
