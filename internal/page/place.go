package page

import (
	"fmt"
	"strings"
	"text/template/parse"
)

// place is where in a document text is: outside of tags, or in a tag, a value or
// an element whose content is not text.
type place string

const (
	outside place = ""
	inTag   place = "a tag"
	inValue place = "a value"
	inStyle place = "style"
	inCode  place = "script"
)

// after is the place after a piece of the document.
func (p place) after(text string) place {
	for text != "" {
		switch p {
		case outside:
			i := strings.IndexByte(text, '<')
			if i < 0 {
				return p
			}
			name := strings.ToLower(text[i+1:])
			p, text = inTag, text[i+1:]
			for _, raw := range []place{inStyle, inCode} {
				if strings.HasPrefix(name, string(raw)) {
					p = raw
				}
			}
		case inTag:
			i := strings.IndexAny(text, `">`)
			if i < 0 {
				return p
			}
			if p = outside; text[i] == '"' {
				p = inValue
			}
			text = text[i+1:]
		case inValue:
			i := strings.IndexByte(text, '"')
			if i < 0 {
				return p
			}
			p, text = inTag, text[i+1:]
		default:
			i := strings.Index(strings.ToLower(text), "</"+string(p))
			if i < 0 {
				return p
			}
			p, text = inTag, text[i+2:]
		}
	}
	return p
}

// list returns the place after nodes. A value that is neither in text nor in a
// quoted attribute is an error, and so is a branch that ends elsewhere than the
// other.
func (p place) list(list *parse.ListNode) (place, error) {
	if list == nil {
		return p, nil
	}
	for _, n := range list.Nodes {
		var b *parse.BranchNode
		switch n := n.(type) {
		case *parse.TextNode:
			p = p.after(string(n.Text))
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 && p != outside && p != inValue {
				return p, fmt.Errorf("%s stands in %s", n, p)
			}
		case *parse.IfNode:
			b = &n.BranchNode
		case *parse.RangeNode:
			b = &n.BranchNode
		case *parse.WithNode:
			b = &n.BranchNode
		case *parse.CommentNode:
		default:
			return p, fmt.Errorf("%s is not supported", n)
		}
		if b == nil {
			continue
		}
		one, err := p.list(b.List)
		if err != nil {
			return p, err
		}
		other, err := p.list(b.ElseList)
		if err != nil {
			return p, err
		}
		if one != other {
			return p, fmt.Errorf("the branches of %s end in different places", b.Pipe)
		}
		p = one
	}
	return p, nil
}
