package lock

import "github.com/flowrepro/flow/internal/yaml12"

// Stage is the recorded state of one stage: what ran on what and made what.
type Stage struct {
	// Cmd is the resolved command: a string or a []any of strings.
	Cmd any
	// Deps and Outs are sorted by Path (code points) when encoded.
	Deps, Outs []Entry
	// Version is the version of the Go stage function that made the outputs;
	// the key "version" of flow's own format, never written in DVC's.
	Version string
	// Params are the recorded parameter files, params.yaml first.
	Params []ParamFile
}

// ParamFile holds the recorded parameters of one file.
type ParamFile struct {
	Path string
	// Values maps dotted keys to values as read (see yaml12.Map).
	Values *yaml12.Map
}

// Entry is one recorded dependency or output.
type Entry struct {
	// Path is verbatim as the pipeline file declares it.
	Path string
	// Hash names the algorithm: "md5", "blake3"; empty for DVC 2.x entries,
	// whose digest is of MD5 with normalized line ends.
	Hash string
	// Digest is hex, with ".dir" appended for directories; empty for none.
	Digest string
	// Size in bytes and Files in number; negative when not recorded.
	Size, Files int64
	// Listed is set when Extra lists the files of a directory and Digest, Size and
	// Files follow from them: they are not in the text.
	Listed bool
	// Exec is set for a single file with an execute bit.
	Exec bool
	// Extra holds the other keys in order (cloud, etag, checksum,
	// version_id, files, dataset, ...), nil when there are none.
	Extra *yaml12.Map
}
