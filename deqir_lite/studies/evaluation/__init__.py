"""Judge a prior by what it restores: photos, tasks and chains against simpler methods."""
