package pipeline

// Value returns the command as the lock records it: the text, or a list.
func (c Command) Value() any {
	if c.IsList {
		list := make([]any, len(c.Lines))
		for i, l := range c.Lines {
			list[i] = l
		}
		return list
	}
	if len(c.Lines) == 0 {
		return ""
	}
	return c.Lines[0]
}

// IsEmpty reports whether there is nothing to run: no command, an empty text
// or an empty list.
func (c Command) IsEmpty() bool {
	return len(c.Lines) == 0 || !c.IsList && c.Lines[0] == ""
}

// Steps returns what runs, each in a shell of its own: the elements of a list,
// or the lines of a text.
func (c Command) Steps() []string {
	switch {
	case c.IsEmpty():
		return nil
	case c.IsList:
		return c.Lines
	}
	return splitLines(c.Lines[0])
}

// splitLines splits where Python's str.splitlines does.
func splitLines(s string) []string {
	var lines []string
	start, skip := 0, false
	for i, r := range s {
		if skip {
			if skip = false; r == '\n' {
				start = i + 1
				continue
			}
		}
		switch r {
		case '\r':
			skip = true
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		default:
			continue
		}
		lines = append(lines, s[start:i])
		start = i + len(string(r))
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}
