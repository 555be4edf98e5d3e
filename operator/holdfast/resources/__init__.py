"""BackupPolicy and BackupRun as models; the CRDs under ``crds/`` are generated from them."""
