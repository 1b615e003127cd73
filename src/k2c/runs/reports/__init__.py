"""The pages that people read: of runs, of batches, of graded submissions, and their templates."""
