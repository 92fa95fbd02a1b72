// Package pipeline reads pipelines: dvc.yaml files with their templates and
// parameter files, and .dvc files. Its result, a Set, holds resolved stages and
// nothing that still needs a template, a default or a merge.
//
//	Load       every pipeline file of a project
//	LoadFiles  the named ones
//	Resolve    a target as the user wrote it, to stages
//	Values     parameter files by dotted key (YAML, JSON, TOML, Python)
//	SetParam   one parameter changed in place
//
// The steps for one file are: parse (yaml12), check the shape (schema.go), build
// the template context from params.yaml and vars (context.go), expand foreach
// and matrix (expand.go), replace ${...} (template.go) and turn the result into
// stages (build.go).
//
// # Paths
//
// A path as declared is the identity of a dependency or output and is kept
// verbatim (Def); beside it stands where it leads (Path): relative to the
// project root with slashes, or absolute when it leaves the project.
//
// # Errors
//
// Everything wrong with the files comes at once as yaml12.Errors, each with
// file, line and column: of kind Syntax and Validation for a file that DVC
// reports as invalid, Template for a ${...}, Graph for what is well-formed but
// cannot be a stage. Messages keep the words of DVC that people search for;
// advice is in the hint.
//
// A Set is read-only after loading and safe for concurrent use, and so is
// Values. Loading takes time linear in the size of the files.
package pipeline
