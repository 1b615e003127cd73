"""`horovod`: the five steps on Horovod itself."""
