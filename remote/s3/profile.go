package s3

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tuning is what the "s3" section of a profile in AWS's configuration file says
// of transfers.
type tuning struct {
	threshold, chunk int64
	requests         int
	addressing       string
}

// readTuning reads the nested settings of a profile, which the SDK passes over:
//
//	[profile name]
//	s3 =
//	    multipart_threshold = 64MB
//
// A file that is not there, or not understood, says nothing.
func readTuning(file, profile string) tuning {
	var t tuning
	f, err := os.Open(file)
	if err != nil {
		return t
	}
	defer f.Close()
	want := "profile " + profile
	ours, nested := false, false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		raw := lines.Text()
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && raw[0] == '[' {
			name := strings.Join(strings.Fields(strings.Trim(line, "[]")), " ")
			ours, nested = name == want || profile == "default" && name == "default", false
			continue
		}
		if !ours {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if raw[0] != ' ' && raw[0] != '\t' {
			nested = key == "s3" && value == ""
			continue
		}
		if !nested {
			continue
		}
		switch key {
		case "multipart_threshold":
			t.threshold = parseSize(value)
		case "multipart_chunksize":
			t.chunk = parseSize(value)
		case "max_concurrent_requests":
			t.requests, _ = strconv.Atoi(value)
		case "addressing_style":
			t.addressing = value
		}
	}
	return t
}

// parseSize reads sizes as AWS's tools write them: 8MB, 1GiB or a number. What
// is none is 0.
func parseSize(text string) int64 {
	t := strings.ToUpper(text)
	for i, unit := range []string{"K", "M", "G", "T"} {
		for _, suffix := range []string{unit + "IB", unit + "B"} {
			if digits, ok := strings.CutSuffix(t, suffix); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
				if err != nil || n < 0 {
					return 0
				}
				return n << (10 * (i + 1))
			}
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// configFile is the path of AWS's configuration file.
func configFile(o *Options) string {
	if p := os.Getenv("AWS_CONFIG_FILE"); p != "" {
		return p
	}
	if o.ConfigFile != "" {
		return expand(o.ConfigFile)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".aws", "config")
}
