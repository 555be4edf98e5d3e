"""BackupPolicy, BackupRun and RestoreRun as models; the CRDs under ``crds/`` are generated from them."""
