package pipeline

import (
	"strconv"
	"strings"
)

// didYouMean returns a hint naming the candidate nearest to word, "" when none
// is near. Of equally near candidates the first wins.
func didYouMean(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	return ""
}

// maxSuggest bounds the work on long lists: it is a courtesy, made only when
// something already failed.
const maxSuggest = 20000

func nearest(word string, candidates []string) string {
	if len(candidates) > maxSuggest {
		candidates = candidates[:maxSuggest]
	}
	limit := 2
	switch {
	case len(word) < 3:
		limit = 0 // anything is near a word that short
	case len(word) < 5:
		limit = 1
	}
	best, bestDist := "", limit+1
	low := strings.ToLower(word)
	for _, c := range candidates {
		if c == "" || c == word {
			continue
		}
		if d := editDistance(low, strings.ToLower(c), bestDist); d < bestDist {
			best, bestDist = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		if len(word) >= 3 && len(c) >= 3 && (strings.HasPrefix(c, word) || strings.HasPrefix(word, c)) && c != word {
			return c
		}
	}
	return ""
}

// editDistance is the number of insertions, deletions, replacements and swaps
// of neighbours between a and b, or at least limit.
func editDistance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if abs(len(x)-len(y)) >= limit {
		return limit
	}
	before := make([]int, len(y)+1)
	prev := make([]int, len(y)+1)
	cur := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(y)]
}

func abs(i int) int {
	if i < 0 {
		return -i
	}
	return i
}
