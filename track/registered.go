package track

import (
	"strings"
	"time"
)

// The stages of a model version.
const (
	StageNone       = "None"
	StageStaging    = "Staging"
	StageProduction = "Production"
	StageArchived   = "Archived"
)

// The aliases that go with the stages Staging and Production.
const (
	AliasStaging    = "staging"
	AliasProduction = "production"
)

// ParseStage returns the stage that a text in any case names.
func ParseStage(text string) (string, bool) {
	for _, s := range []string{StageNone, StageStaging, StageProduction, StageArchived} {
		if strings.EqualFold(s, text) {
			return s, true
		}
	}
	return "", false
}

// Model is a registered model.
type Model struct {
	Name, Description string
	Created, Updated  time.Time
	Tags              map[string]string
	// Aliases map names to versions.
	Aliases map[string]int
}

// Version is a version of a registered model. All but stage, description,
// aliases and tags stays what it was.
type Version struct {
	Name        string
	Version     int
	Description string
	Created     time.Time
	Updated     time.Time
	Stage       string
	// Source is the artifact root of the model's directory, as registered.
	Source string
	RunID  string
	// Status is READY, PENDING_REGISTRATION or FAILED_REGISTRATION.
	Status  string
	Aliases []string // sorted
	Tags    map[string]string
}

// HasAlias reports whether the alias points to v.
func (v *Version) HasAlias(alias string) bool {
	for _, a := range v.Aliases {
		if a == alias {
			return true
		}
	}
	return false
}

// NewVersion describes a version to be created.
type NewVersion struct {
	Name string
	// Source is an artifact root; or models:/m-<id> where the store keeps
	// models by themselves.
	Source      string
	RunID       string
	ModelID     string
	Description string
	Tags        []Pair
	// Key, when not empty, is unique among the model's versions and kept as
	// TagKey: creating a version whose key exists returns that version.
	Key string
}
