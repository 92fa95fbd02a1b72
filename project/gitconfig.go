package project

import (
	"os"
	"strings"
)

// gitConfigValue returns the last value of section.key in a configuration
// file of Git. It reads what is needed for single words and paths: sections
// without subsections, comments, quotes and escapes, but no continued lines
// and no includes.
func gitConfigValue(file, section, key string) (value string, found bool) {
	if file == "" {
		return "", false
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	inside := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			name, rest, ok := strings.Cut(line[1:], "]")
			inside = ok && strings.EqualFold(strings.TrimSpace(name), section)
			line = strings.TrimSpace(rest)
		}
		name, v, ok := strings.Cut(line, "=")
		if inside && ok && strings.EqualFold(strings.TrimSpace(name), key) {
			value, found = unquoteGit(strings.TrimSpace(v)), true
		}
	}
	return value, found
}

// unquoteGit removes quotes, escapes and a comment from a value.
func unquoteGit(s string) string {
	var b strings.Builder
	quoted, kept := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
			kept = b.Len()
		case c == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(s[i])
			}
			kept = b.Len()
		case !quoted && (c == '#' || c == ';'):
			return b.String()[:kept]
		default:
			b.WriteByte(c)
			if quoted || c != ' ' && c != '\t' {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept]
}
