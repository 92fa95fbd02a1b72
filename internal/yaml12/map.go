package yaml12

import "slices"

// Map is a mapping that keeps its order. Values are nil, bool, int64,
// *big.Int, float64, string, Timestamp, []any and *Map; keys are scalars of
// the same types, nearly always strings.
type Map struct {
	Items []Item
}

// Item is one key and its value.
type Item struct {
	Key   any
	Value any
}

// Timestamp is a YAML date or timestamp, as written. DVC cannot use them; flow
// keeps the text so that it can say so.
type Timestamp string

// Len returns the number of items; a nil Map has none.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.Items)
}

// Get returns the value of a string key.
func (m *Map) Get(key string) (any, bool) {
	if m == nil {
		return nil, false
	}
	for _, it := range m.Items {
		if it.Key == key {
			return it.Value, true
		}
	}
	return nil, false
}

// Without returns the map without some keys: the map itself when it has none of
// them, nil when nothing is left.
func (m *Map) Without(keys ...string) *Map {
	if m == nil {
		return nil
	}
	rest := &Map{Items: slices.DeleteFunc(slices.Clone(m.Items), func(it Item) bool {
		name, ok := it.Key.(string)
		return ok && slices.Contains(keys, name)
	})}
	switch len(rest.Items) {
	case 0:
		return nil
	case len(m.Items):
		return m
	}
	return rest
}

// Set replaces the value of a string key, or appends it.
func (m *Map) Set(key string, value any) {
	for i, it := range m.Items {
		if it.Key == key {
			m.Items[i].Value = value
			return
		}
	}
	m.Items = append(m.Items, Item{Key: key, Value: value})
}
