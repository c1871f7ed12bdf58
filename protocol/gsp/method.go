package gsp

import (
	"context"
	"reflect"
	"strings"
	"time"

	"naru/engine"
)

// API is a family of methods of one major version. Methods of one API know each other: a request that carries a member of a sibling
// and not its own is refused, because the route is outside what the caller signed (design §3.10).
type API struct {
	Name       string // what an account must be enabled for, such as korea-cards-v1; empty: any account we know
	Generation Generation
	Major      int
	Prefix     string // of every path, such as /v1/payment-integrator-korea-cards-api/
	Methods    []Method
}

// Method is one operation as the envelope sees it. Handle and Echo make one.
type Method struct {
	name    string
	path    string // instead of prefix and name
	limit   int64  // of the body, in bytes; 0: the server's
	free    bool   // generation A: the message names no account (gsp-core O19)
	members []string
	run     func(context.Context, Call, engine.Turn, []byte) ([]byte, error)
	once    bool // answered once and for all
}

// Call is what the envelope knows about a request by the time a method sees it.
type Call struct {
	ID         string         // our own id of the call, in our log and in every error answer
	Account    engine.Account // zero where the message names none
	RequestID  string
	API        string
	Method     string
	Generation Generation
	Major      int
	At         time.Time // business time of its arrival
}

// Handle makes a method that is answered once per request id. Fn gets the decoded request; in its type stand neither the header nor the
// account. It returns the members of the response (see Encode), as the engine has stored them; the envelope adds a fresh header. An error
// is one of package fault: nothing is stored and the caller may ask again.
func Handle[T any](name string, fn func(ctx context.Context, call Call, turn engine.Turn, in T) ([]byte, error)) Method {
	return Method{
		name: name, once: true, members: membersOf(reflect.TypeFor[T]()),
		run: func(ctx context.Context, call Call, turn engine.Turn, plain []byte) ([]byte, error) {
			var in T
			if err := Decode(plain, &in); err != nil {
				return nil, err
			}
			return fn(ctx, call, turn, in)
		},
	}
}

// EchoRequest is a text to be given back (gsp-core §7.1).
type EchoRequest struct {
	ClientMessage *string `json:"clientMessage,omitzero"`
}

// EchoResponse is the text, and one of the server's own (gsp-core §7.1).
type EchoResponse struct {
	ClientMessage string `json:"clientMessage"`
	ServerMessage string `json:"serverMessage,omitzero"`
}

// Echo gives the client's message back, byte for byte (gsp-core §7.1). It is not stored; in generation A it names no account.
func Echo(serverMessage string) Method {
	return Method{
		name: "echo", free: true, members: membersOf(reflect.TypeFor[EchoRequest]()),
		run: func(_ context.Context, _ Call, _ engine.Turn, plain []byte) ([]byte, error) {
			var in EchoRequest
			if err := First(Decode(plain, &in), Required("clientMessage", in.ClientMessage != nil)); err != nil {
				return nil, err
			}
			return Encode(EchoResponse{*in.ClientMessage, serverMessage})
		},
	}
}

// At moves a method to a path of its own, where the sheet prints one that does not follow the pattern.
func (m Method) At(path string) Method { m.path = path; return m }

// Limit allows bodies of another size than the server's default.
func (m Method) Limit(bytes int64) Method { m.limit = bytes; return m }

// Name is the method's name on the wire.
func (m Method) Name() string { return m.name }

// membersOf lists the names of a wire type's members, those of embedded structs too.
func membersOf(t reflect.Type) (names []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			names = append(names, name)
		case f.Anonymous:
			names = append(names, membersOf(f.Type)...)
		case f.IsExported():
			names = append(names, f.Name)
		}
	}
	return names
}

// siblings are the members of an API's other methods that m itself does not have.
func (a API) siblings(m Method) map[string]bool {
	foreign := map[string]bool{}
	for _, other := range a.Methods {
		for _, name := range other.members {
			foreign[name] = true
		}
	}
	for _, own := range append(m.members, "requestHeader", "paymentIntegratorAccountId") {
		delete(foreign, own)
	}
	return foreign
}
