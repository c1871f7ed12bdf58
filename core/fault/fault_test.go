package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	. "naru/core/fault"
)

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		kind   Kind
		public string
	}{
		"unclassified tells nothing": {errors.New("password is 1234"), Internal, ""},
		"none":                       {nil, Internal, ""},
		"made":                       {New(Invalid, "%s is too long", "mcc"), Invalid, "mcc is too long"},
		"wrapped cause stays ours":   {Wrap(Unavailable, io.ErrUnexpectedEOF, "ask again"), Unavailable, "ask again"},
		"deep":                       {fmt.Errorf("while: %w", New(Missing, "no id")), Missing, "no id"},
		"outermost wins":             {Wrap(Unavailable, New(Invalid, "inner"), "outer"), Unavailable, "outer"},
	} {
		if k, p := Of(c.err); k != c.kind || p != c.public {
			t.Errorf("%s: %v %q", name, k, p)
		}
	}
}

func TestCauseIsKeptForTheLog(t *testing.T) {
	err := Wrap(Unavailable, io.ErrUnexpectedEOF, "ask again")
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "ask again: unexpected EOF" {
		t.Error(err)
	}
	if err := New(Missing, "no id"); err.Error() != "no id" || errors.Unwrap(err) != nil {
		t.Error(err)
	}
}

func TestZeroKindIsInternal(t *testing.T) {
	if k, _ := Of(&Error{Public: "x"}); k != Internal {
		t.Error(k)
	}
}
