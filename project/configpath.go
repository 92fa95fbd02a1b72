package project

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// isPathKey reports whether a setting is a path that counts from the
// directory of its file.
func isPathKey(n sectionName, key string) bool {
	switch n.top {
	case "cache":
		return key == "dir"
	case "remote":
		switch key {
		case "url", "gdrive_user_credentials_file", "gdrive_service_account_json_file_path",
			"credentialpath", "configpath", "keyfile", "cert_path", "key_path":
			return n.named
		}
	case "machine":
		return n.named && (key == "startup_script" || key == "setup_script")
	}
	return false
}

// hasScheme reports whether a path is a URL.
func hasScheme(path string) bool {
	name, _, ok := strings.Cut(path, "://")
	if !ok || name == "" {
		return false
	}
	for _, c := range name {
		if !(c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c > 127) {
			return false
		}
	}
	return true
}

// absolute reports whether a path stands for itself, also one of another
// operating system's making.
func absolute(path string) bool {
	return filepath.IsAbs(path) || runtime.GOOS == "windows" && strings.HasPrefix(path, "/")
}

// expandHome replaces a leading "~" by the home directory.
func expandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return home + path[1:]
}

// resolvePath returns what a path in a file in dir means.
func resolvePath(dir, path string) string {
	if hasScheme(path) || absolute(path) {
		return path
	}
	if home := expandHome(path); absolute(home) {
		return home
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// storedPath is the reverse: how a path given on the command line is written
// into a file in dir.
func storedPath(dir, path string) string {
	if hasScheme(path) || absolute(path) || expandHome(path) != path {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil {
		return abs
	}
	return filepath.ToSlash(rel)
}

// systemConfigDir and globalConfigDir return the directories of the two outer
// levels, "" when the system has none.
func systemConfigDir(f *Format) string {
	if dir := os.Getenv(f.systemEnv); dir != "" {
		return dir
	}
	switch runtime.GOOS {
	case "windows":
		return joinVendor(os.Getenv("PROGRAMDATA"), f)
	case "darwin":
		return filepath.Join("/Library/Application Support", f.app)
	}
	if dirs := filepath.SplitList(os.Getenv("XDG_CONFIG_DIRS")); len(dirs) > 0 && dirs[0] != "" {
		return filepath.Join(dirs[0], f.app)
	}
	return filepath.Join("/etc/xdg", f.app)
}

func globalConfigDir(f *Format) string {
	if dir := os.Getenv(f.globalEnv); dir != "" {
		return dir
	}
	if runtime.GOOS == "windows" {
		return joinVendor(os.Getenv("LOCALAPPDATA"), f)
	}
	if runtime.GOOS != "darwin" {
		if dir := strings.TrimSpace(os.Getenv("XDG_CONFIG_HOME")); dir != "" {
			return filepath.Join(dir, f.app)
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", f.app)
	}
	return filepath.Join(home, ".config", f.app)
}

func joinVendor(dir string, f *Format) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, f.vendor, f.app)
}
