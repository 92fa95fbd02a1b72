// Package migrate converts a project between flow's own format and DVC's: what
// is in the cache, dvc.lock and .dvc files, records of results, and the control
// directory with its settings.
//
//	m := migrate.New(options)
//	m.Survey    what there is to do; nothing is written
//	m.Convert   objects, manifests and records get their names in the other
//	            format, beside those they have; files are rewritten in memory
//	m.Switch    the project takes its new form, in one step
//
// Until Switch the project is as it was, and complete: both formats live side by
// side in one cache. Convert may be interrupted at any time and goes on where it
// was when it is called again. What Switch decides, project.New completes if the
// process is killed meanwhile.
//
// Objects are verified by the old digest while they are read for the new one,
// and linked rather than copied. Nothing is removed from the cache: older
// revisions in Git still name the old digests, and their history is not
// rewritten.
//
// What the native format records and DVC's has no place for (execute bits of the
// members of directories, versions of Go functions) is kept in a file of the
// control directory, so that a project that is converted back has the same locks.
package migrate
