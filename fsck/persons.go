package fsck

import (
	"strings"
	"unicode"
)

// persons are the values about people, and the secrets of merchants, that the key has opened: they must stand nowhere in clear.
type persons struct {
	list  map[[shortest]byte][]string // by how they begin
	n     int
	begin [1 << 16]bool // whether one begins with these two bytes
	more  bool          // there were too many
}

// shortest is how many bytes a value must have to be looked for; mostPersons bounds how many are.
const (
	shortest    = 6
	mostPersons = 200_000
)

// telling reports whether a value says so much of somebody that it cannot stand anywhere by chance: a long number, or more than a word that
// may be one of ours. Payers write the code of their order where their name should be.
func telling(value string) bool {
	if strings.Trim(value, "0123456789-") == "" {
		return len(figures(value)) >= 8
	}
	return len(value) >= 16 || len(value) >= shortest &&
		strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || r == ' ' || r == '@' })
}

func figures(value string) string { return strings.ReplaceAll(value, "-", "") }

// learn adds values, and numbers without their hyphens too.
func (p *persons) learn(values ...string) {
	for _, v := range values {
		if v = strings.TrimSpace(v); !telling(v) {
			continue
		}
		p.add(v)
		if bare := figures(v); bare != v && telling(bare) {
			p.add(bare)
		}
	}
}

func (p *persons) add(v string) {
	if p.n >= mostPersons {
		p.more = true
		return
	}
	if p.list == nil {
		p.list = map[[shortest]byte][]string{}
	}
	head := [shortest]byte([]byte(v))
	for _, have := range p.list[head] {
		if have == v {
			return
		}
	}
	p.list[head] = append(p.list[head], v)
	p.begin[uint16(v[0])<<8|uint16(v[1])] = true
	p.n++
}

// forget drops what stands somewhere in clear by right.
func (p *persons) forget(b []byte) {
	for _, at := range p.in(b, nil) {
		v := string(at.of(b))
		head := [shortest]byte([]byte(v))
		var rest []string
		for _, have := range p.list[head] {
			if have != v {
				rest = append(rest, have)
			}
		}
		p.list[head] = rest
	}
}

// span is where something stands.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// in finds the values that stand in b.
func (p *persons) in(b []byte, cut []bool) (found []span) {
	if p.n == 0 {
		return nil
	}
	for i := 0; i+shortest <= len(b); i++ {
		if !p.begin[uint16(b[i])<<8|uint16(b[i+1])] {
			continue
		}
		for _, v := range p.list[[shortest]byte(b[i:])] {
			if to := i + len(v); to <= len(b) && string(b[i:to]) == v && whole(b, i, to, cut) {
				found = append(found, span{i, to})
			}
		}
	}
	return found
}

// whole reports whether what stands from one place to another is not a part of a longer number.
func whole(b []byte, from, to int, cut []bool) bool {
	return !(digit(b, from) && digit(b, from-1) && (cut == nil || !cut[from]) || digit(b, to-1) && digit(b, to) && (cut == nil || !cut[to]))
}
