// Package sqlite keeps a project's runs and registered models in the file
// mlflow.db, beside artifacts in mlruns/. The file is MLflow's own kind of
// store: a stock MLflow opens it as sqlite:///mlflow.db when started in the
// project's root, and may write to it between two runs of flow.
//
// The schema is that of MLflow's revision acf3f17fdcc7, the last of the 2.9 to
// 2.13 releases. An old one on purpose: at its start MLflow compares the set of
// tables, and migrates a file that lacks some. Had the file all tables but an
// older revision, MLflow would refuse it. After that migration, which cannot be
// undone, the statements of this package still work: every INSERT names its
// columns, and what newer schemas add has defaults.
//
// Artifact roots are written relative to the project's root, as
// mlruns/<experiment>/<run>/artifacts, so that the whole can be moved or copied.
// Roots that MLflow wrote as absolute paths or file: URIs are read as well.
//
// Several processes may use a file at once. Writers take turns by SQLite's
// locks, for which a process waits up to 20 seconds. A transaction is durable
// when it returns. The file is not for network file systems whose locks do not
// work.
package sqlite
