package project

import "github.com/flowrepro/flow/cache"

// Format is one of the two layouts a project can have. Values are compared by
// pointer.
type Format struct {
	// Name is "native" or "dvc".
	Name string
	// Control is the name of the control directory below the root.
	Control string
	// Hash is the algorithm that names content.
	Hash *cache.Hash

	// app is the directory name of the user and system configuration.
	app string
	// vendor is what stands before app on Windows, if anything.
	vendor string
	// systemEnv and globalEnv name the variables that replace the
	// directories of the two outer configuration levels.
	systemEnv, globalEnv string
}

// The formats.
var (
	// Native is flow's own format.
	Native = &Format{
		Name: "native", Control: ".flow", Hash: cache.BLAKE3,
		app: "flow", systemEnv: "FLOW_SYSTEM_CONFIG_DIR", globalEnv: "FLOW_GLOBAL_CONFIG_DIR",
	}
	// DVC is the format of DVC 3.
	DVC = &Format{
		Name: "dvc", Control: ".dvc", Hash: cache.MD5,
		app: "dvc", vendor: "iterative", systemEnv: "DVC_SYSTEM_CONFIG_DIR", globalEnv: "DVC_GLOBAL_CONFIG_DIR",
	}
)

// String returns the name of the format.
func (f *Format) String() string { return f.Name }
