"""The scripts of `slurm/` on a real Slurm; `make test-slurm` runs these tests, `make test` does not."""
