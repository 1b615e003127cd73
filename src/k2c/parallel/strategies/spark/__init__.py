"""`spark`: workers are the tasks of a Spark job."""
