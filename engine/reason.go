package engine

// Change names how something differs from what the lock records, in the words
// that `dvc status` uses.
type Change string

// The changes.
const (
	ChangeModified   Change = "modified"
	ChangeDeleted    Change = "deleted"
	ChangeNew        Change = "new"
	ChangeNotInCache Change = "not in cache"
	// ChangeUpdate is that of the source of an import from another project.
	ChangeUpdate Change = "update available"
)

// Aspect is the part of a stage that a Reason is about.
type Aspect string

// The aspects of a stage.
const (
	AspectCommand Aspect = "command"  // the command differs
	AspectDep     Aspect = "dep"      // a dependency
	AspectParam   Aspect = "param"    // a parameter or a parameter file
	AspectOut     Aspect = "out"      // an output
	AspectAlways  Aspect = "always"   // always_changed, or neither inputs nor outputs
	AspectForced  Aspect = "forced"   // asked for by --force or --force-downstream
	AspectVersion Aspect = "version"  // the Go stage's version
	AspectEnv     Aspect = "env"      // a declared environment variable
	AspectImport  Aspect = "checksum" // a .dvc file's own checksum
	AspectUpward  Aspect = "upstream" // a stage that produces an input is stale
	AspectUnknown Aspect = "unrecorded"
)

// Reason is one difference that makes a stage stale.
type Reason struct {
	Aspect Aspect `json:"aspect"`
	// Path is the dependency, output or parameter file as declared, or the
	// name of the upstream stage or variable.
	Path string `json:"path,omitempty"`
	// Key is the parameter within Path; empty when the file as a whole changed.
	Key    string `json:"key,omitempty"`
	Change Change `json:"change,omitempty"`
	// Old and New are the values that differ, as text.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// String tells the reason in a few words.
func (r Reason) String() string {
	switch r.Aspect {
	case AspectCommand:
		return "the command changed"
	case AspectAlways:
		return "it always runs"
	case AspectForced:
		return "forced"
	case AspectUpward:
		return "it needs '" + r.Path + "', which is stale"
	case AspectUnknown:
		return "it has not run yet"
	case AspectVersion:
		return "stage version " + r.Old + " -> " + r.New
	case AspectEnv:
		return "environment variable " + r.Path + " changed"
	case AspectImport:
		return "its definition changed"
	case AspectParam:
		if r.Key != "" {
			return "parameter " + r.Key + " of '" + r.Path + "' is " + string(r.Change)
		}
		return "parameter file '" + r.Path + "' is " + string(r.Change)
	case AspectDep:
		return "dependency '" + r.Path + "' is " + string(r.Change)
	case AspectOut:
		return "output '" + r.Path + "' is " + string(r.Change)
	}
	return string(r.Aspect)
}
