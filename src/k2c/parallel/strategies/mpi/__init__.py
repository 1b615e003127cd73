"""`mpi`: gradients averaged by MPI."""
