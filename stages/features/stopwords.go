package features

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/flowrepro/flow/stages/text"
)

// StopWords are words to leave out: a list by its name, or the words
// themselves. The zero value leaves out none. In JSON it is null, a name or an
// array.
type StopWords struct {
	// List is "", "english" (scikit-learn's list) or "nltk" (NLTK's English
	// list).
	List string
	// Words are used when List is empty. They are compared with the words of
	// the text after it was lowered.
	Words []string
}

var stopLists = map[string]string{"english": "sklearn", "nltk": "nltk"}

func (s StopWords) check() error {
	if s.List != "" && stopLists[s.List] == "" {
		return fmt.Errorf("stop_words %q: want english, nltk or a list of words", s.List)
	}
	if s.List != "" && len(s.Words) > 0 {
		return errors.New("stop_words: a list by name and words at once")
	}
	for i, w := range s.Words {
		if !utf8.ValidString(w) {
			return fmt.Errorf("stop_words: word %d is not UTF-8", i)
		}
	}
	return nil
}

// matcher returns a function that recognizes the words, nil when there are
// none. It is safe for concurrent use.
func (s StopWords) matcher() func(word []byte) bool {
	if s.List != "" {
		list := stopLists[s.List]
		return func(word []byte) bool { return text.IsStopWord(list, string(word)) }
	}
	if len(s.Words) == 0 {
		return nil
	}
	set := make(map[string]struct{}, len(s.Words))
	for _, w := range s.Words {
		set[w] = struct{}{}
	}
	return func(word []byte) bool {
		_, ok := set[string(word)]
		return ok
	}
}

// MarshalJSON writes null, a name or an array.
func (s StopWords) MarshalJSON() ([]byte, error) {
	switch {
	case s.List != "":
		return json.Marshal(s.List)
	case len(s.Words) > 0:
		return json.Marshal(s.Words)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *StopWords) UnmarshalJSON(data []byte) error {
	*s = StopWords{}
	var err error
	switch data = bytes.TrimSpace(data); {
	case bytes.Equal(data, []byte("null")):
		return nil
	case len(data) > 0 && data[0] == '"':
		err = json.Unmarshal(data, &s.List)
	default:
		err = json.Unmarshal(data, &s.Words)
	}
	if err != nil {
		return fmt.Errorf("stop_words: want a name or a list of words: %w", err)
	}
	return s.check()
}

// All returns the words in their order: those of the list or those given.
func (s StopWords) All() []string {
	if s.List != "" {
		return text.StopWords(stopLists[s.List])
	}
	return s.Words
}
