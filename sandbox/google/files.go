package google

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// SettlementFile is one file that was uploaded to its end. One with problems settles nothing.
type SettlementFile struct {
	At           time.Time `json:"at"` // business time
	Name         string    `json:"name"`
	SHA256       string    `json:"sha256"` // of the upload
	SettlementID string    `json:"settlement_id,omitzero"`
	Account      string    `json:"piaid,omitzero"`
	Currency     string    `json:"currency,omitzero"`
	Items        int       `json:"items"`         // entries that there are
	Amount       int64     `json:"amount_micros"` // that the header states
	Problems     []string  `json:"problems,omitzero"`
}

const (
	maxFile     = 64 << 20
	maxProblems = 50 // of one file
)

// ServeFiles is Google's SFTP server (Korea §6.1): one flat folder, open to whoever holds the key. A file is judged when it is closed, or
// when it is renamed from a temporary name. It serves until the listener is closed, then hangs up on everybody and returns nil.
func (g *Google) ServeFiles(l net.Listener, hostKey ssh.Signer, authorized ssh.PublicKey) error {
	folder := g.cfg.Files
	if folder == "" {
		made, err := os.MkdirTemp("", "google-files-")
		if err != nil {
			return fmt.Errorf("google: %w", err)
		}
		defer os.RemoveAll(made)
		folder = made
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("google: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("google: %w", err)
	}
	defer root.Close()
	known := authorized.Marshal()
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), known) {
			return nil, errors.New("google: this key is not known")
		}
		return nil, nil
	}}
	server.AddHostKey(hostKey)

	var sessions sync.WaitGroup
	defer sessions.Wait()
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp() // before waiting
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("google: %w", err)
		}
		sessions.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer conn.Close()
			if err := g.session(conn, server, folderHandlers(g, root)); err != nil {
				g.cfg.Log.Warn("an upload session failed", "error", err)
			}
		})
	}
}

// session is one connection with any number of SFTP channels, one after the other.
func (g *Google) session(conn net.Conn, server *ssh.ServerConfig, h sftp.Handlers) error {
	if err := conn.SetDeadline(g.cfg.Now().Add(patience)); err != nil {
		return err
	}
	secure, channels, requests, err := ssh.NewServerConn(conn, server)
	if err != nil {
		return err
	}
	defer secure.Close()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "files only")
			continue
		}
		channel, asks, err := offer.Accept()
		if err != nil {
			return err
		}
		for ask := range asks {
			files := ask.Type == "subsystem" && string(ask.Payload) == "\x00\x00\x00\x04sftp"
			_ = ask.Reply(files, nil)
			if files {
				go ssh.DiscardRequests(asks)
				break
			}
		}
		if err := sftp.NewRequestServer(channel, h).Serve(); err != nil && err != io.EOF {
			return err
		}
		_ = channel.Close()
	}
	return nil
}

// folder is what a client sees of the uploads.
type folder struct {
	g    *Google
	root *os.Root
}

func folderHandlers(g *Google, root *os.Root) sftp.Handlers {
	f := folder{g, root}
	return sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f}
}

// flat is the name of a file in the one folder there is.
func flat(p string) (string, error) {
	dir, name := path.Split(p)
	if dir != "/" || name == "" {
		return "", os.ErrPermission
	}
	return name, nil
}

// temporary names are those of uploads that are not finished.
func temporary(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains([]string{".tmp", ".temp", ".part", ".partial", ".filepart"}, path.Ext(name))
}

func (f folder) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	name, err := flat(r.Filepath)
	if err != nil {
		return nil, err
	}
	return f.root.Open(name)
}

func (f folder) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	name, err := flat(r.Filepath)
	if err != nil {
		return nil, err
	}
	flags := os.O_WRONLY
	for _, flag := range []struct {
		asked bool
		means int
	}{{r.Pflags().Creat, os.O_CREATE}, {r.Pflags().Excl, os.O_EXCL}, {r.Pflags().Trunc, os.O_TRUNC}} {
		if flag.asked {
			flags |= flag.means
		}
	}
	to, err := f.root.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &upload{File: to, folder: f, name: name}, nil
}

// upload is a file on its way in.
type upload struct {
	*os.File
	folder folder
	name   string
	broken bool // the connection went away before the end
}

func (u *upload) WriteAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > maxFile {
		return 0, errors.New("the file is too large")
	}
	return u.File.WriteAt(b, at)
}

// TransferError hears of a connection that broke.
func (u *upload) TransferError(error) { u.broken = true }

func (u *upload) Close() error {
	if err := u.File.Close(); err != nil || u.broken {
		return err
	}
	return u.folder.arrived(u.name)
}

// arrived judges a file whose name is final.
func (f folder) arrived(name string) error {
	if temporary(name) {
		return nil
	}
	content, err := f.root.ReadFile(name)
	if err != nil {
		return err
	}
	f.g.takeFile(name, content)
	return nil
}

// Filecmd renames, and removes what is temporary. Attributes are nobody's business here.
func (f folder) Filecmd(r *sftp.Request) error {
	name, err := flat(r.Filepath)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return nil
	case "Remove":
		if !temporary(name) {
			return os.ErrPermission
		}
		return f.root.Remove(name)
	case "Rename":
		to, err := flat(r.Target)
		if err != nil {
			return err
		}
		if _, err := f.root.Stat(to); err == nil {
			return os.ErrExist
		}
		return f.PosixRename(r)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename replaces a file of that name.
func (f folder) PosixRename(r *sftp.Request) error {
	from, errFrom := flat(r.Filepath)
	to, errTo := flat(r.Target)
	if err := cmp.Or(errFrom, errTo); err != nil {
		return err
	}
	if err := f.root.Rename(from, to); err != nil {
		return err
	}
	return f.arrived(to)
}

// Filelist lists the folder or tells of one file.
func (f folder) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		if path.Clean(r.Filepath) != "/" {
			return nil, os.ErrNotExist
		}
		entries, err := fs.ReadDir(f.root.FS(), ".")
		if err != nil {
			return nil, err
		}
		var list listing
		for _, e := range entries {
			if info, err := e.Info(); err == nil { // one that went away meanwhile is not listed
				list = append(list, info)
			}
		}
		return list, nil
	}
	name := "."
	if path.Clean(r.Filepath) != "/" {
		var err error
		if name, err = flat(r.Filepath); err != nil {
			return nil, os.ErrNotExist
		}
	}
	info, err := f.root.Stat(name)
	return listing{info}, err
}

type listing []os.FileInfo

func (l listing) ListAt(to []os.FileInfo, at int64) (int, error) {
	if at >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[at:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// takeFile opens, reads and judges one upload. Whatever comes of it is recorded.
func (g *Google) takeFile(name string, content []byte) {
	sum := sha256.Sum256(content)
	read := reading{
		file: SettlementFile{At: g.cfg.Business(), Name: name, SHA256: hex.EncodeToString(sum[:])},
		part: part{Channel: "file", Parts: 1},
	}
	if plain, why := g.unseal(name, content); why != "" {
		read.problem("%s", why)
	} else {
		read.lines(plain, g.cfg.Accounts)
	}
	f, p := &read.file, &read.part
	p.At = f.At
	g.mu.Lock()
	defer g.mu.Unlock()
	l := line{File: f}
	if read.headed {
		again, no := g.judgePart(p)
		if no != nil {
			read.problem("%s", no.why)
		}
		if p.Problems = f.Problems; !again {
			l.Part = p
		}
	}
	g.note(l)
}

// unseal undoes compression, which comes after encryption (Korea §6.1), and encryption: PGP as in the API, or bare or armored.
func (g *Google) unseal(name string, content []byte) (plain []byte, why string) {
	if path.Ext(name) == ".gz" {
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return nil, "the file is not compressed, though its name says so"
		}
		if content, err = io.ReadAll(io.LimitReader(z, maxFile)); err != nil {
			return nil, "the file is compressed badly"
		}
	}
	opened, err := g.files.Open(context.Background(), bytes.TrimSpace(content))
	if err != nil { // not as in the API; what it may be gets that form
		opened, err = g.files.Open(context.Background(), []byte(base64.RawURLEncoding.EncodeToString(content)))
	}
	if err != nil {
		return nil, "the file cannot be decrypted and verified"
	}
	return opened.Plain, ""
}

// reading is a file while it is read.
type reading struct {
	file   SettlementFile
	part   part
	headed bool // the second line says what is settled
}

func (r *reading) problem(format string, args ...any) {
	if len(r.file.Problems) < maxProblems {
		r.file.Problems = append(r.file.Problems, fmt.Sprintf(format, args...))
	}
}

// at keeps a refusal as a problem and says whether there was none.
func (r *reading) at(number int, no *refusal) bool {
	if no != nil {
		r.problem("line %d: %s", number, no.why)
	}
	return no == nil
}

// lines reads what is in a file (Korea §6.2).
func (r *reading) lines(plain []byte, accounts []string) {
	text := bytes.Split(bytes.TrimSuffix(plain, []byte("\n")), []byte("\n"))
	if len(text) < 2 {
		r.problem("the file has %d lines, and two are headers", len(text))
		return
	}
	objects := make([]map[string]jsontext.Value, len(text))
	for i, one := range text {
		var no *refusal
		if objects[i], no = members("the line", bytes.TrimRight(one, "\r")); no != nil {
			r.problem("line %d is not a strict JSON object", i+1)
		}
	}
	generated := r.fileHeader(objects[0], accounts)
	items := r.header(objects[1])
	r.fileName(generated)
	r.part.Digest = digestOf(plain)
	if !r.headed {
		return
	}
	for i, entry := range objects[2:] {
		if entry != nil {
			r.entry(i, entry)
		}
	}
	if r.file.Items = len(objects) - 2; int64(r.file.Items) != items {
		r.problem("numberOfItems is %d, there are %d entries", items, r.file.Items)
	}
}

func digestOf(plain []byte) string {
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:16])
}

// fileHeader is line 1.
func (r *reading) fileHeader(in map[string]jsontext.Value, accounts []string) time.Time {
	if in == nil {
		return time.Time{}
	}
	for _, want := range []field{
		{name: "requestId", is: func(name string, v jsontext.Value) *refusal { return unless(requestID.MatchString(text(v)), name) }},
		{name: "generationTimestamp", is: newerMoment},
		{name: "type", is: word("GSP_CARD_SETTLEMENT_V1")},
		{name: "paymentIntegratorAccountId", is: word(accounts...)},
	} {
		if in[want.name] == nil {
			r.at(1, missing(want.name))
			continue
		}
		r.at(1, want.is(want.name, in[want.name]))
	}
	r.file.Account = text(in["paymentIntegratorAccountId"])
	r.part.Account = r.file.Account
	generated, _ := readMoment("", in["generationTimestamp"])
	return generated
}

// header is line 2. It gives back the number of entries that it states.
func (r *reading) header(in map[string]jsontext.Value) (items int64) {
	if in == nil {
		return 0
	}
	p, f := &r.part, &r.file
	var no [3]*refusal
	p.Start, p.End, no[0] = readPeriod("settlementPeriod", in["settlementPeriod"])
	p.AmountMicros, p.Currency, no[1] = readAmount("settlementAmount", in["settlementAmount"])
	if p.ID = text(in["settlementId"]); p.ID == "" {
		no[2] = missing("settlementId")
	}
	r.headed = true
	for _, why := range no {
		r.headed = r.at(2, why) && r.headed
	}
	f.SettlementID, f.Currency, f.Amount = p.ID, p.Currency, p.AmountMicros
	items, ok := integer(in["numberOfItems"])
	switch {
	case in["numberOfItems"] == nil:
		r.at(2, missing("numberOfItems"))
	case !ok:
		r.at(2, invalid("numberOfItems"))
	}
	r.balances(in)
	return items
}

// balances checks that what is carried out is what was carried in and settled, less what was paid (remittance §9.2).
func (r *reading) balances(in map[string]jsontext.Value) {
	amounts := map[string]int64{}
	read := func(name string, v jsontext.Value) {
		micros, currency, no := readAmount(name, v)
		if no == nil {
			no = unless(currency == r.part.Currency, name+".currencyCode")
		}
		r.at(2, no)
		amounts[name] = micros
	}
	for _, name := range []string{"openingBalance", "closingBalance"} {
		if in[name] != nil {
			read(name, in[name])
		}
	}
	if in["settlementPaymentDetails"] != nil {
		details, no := members("settlementPaymentDetails", in["settlementPaymentDetails"])
		if r.at(2, no) {
			read("settlementPaymentAmount", details["settlementPaymentAmount"])
		}
	}
	if in["openingBalance"] != nil && in["closingBalance"] != nil &&
		amounts["closingBalance"] != amounts["openingBalance"]+r.part.AmountMicros-amounts["settlementPaymentAmount"] {
		r.problem("line 2: closingBalance is not openingBalance and settlementAmount less what was paid")
	}
}

// entry is the line of one event. They are counted from 1.
func (r *reading) entry(i int, in map[string]jsontext.Value) {
	number := i + 3
	if id, ok := integer(in["entryId"]); !ok || id != int64(i)+1 {
		r.problem("line %d: entryId is not %d", number, i+1)
	}
	name, value, no := only("settlementEntryType", in["settlementEntryType"])
	if !r.at(number, no) {
		return
	}
	if _, known := kinds[name]; !known {
		r.problem("line %d: settlementEntryType is not one of %s", number, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		return
	}
	e, no := readEvent(name, name, value, r.part.Currency)
	if r.at(number, no) {
		r.part.Events = append(r.part.Events, e)
	}
}

// fileForm is the name of a file: id and account, the day, the time of generation in seconds or milliseconds (remittance §9.2).
var fileForm = regexp.MustCompile(`^GSP_CARD_SETTLEMENT_REPORT_V1-(.+)-([0-9]{4}-[0-9]{2}-[0-9]{2})-([0-9]+)(?:\.gz)?$`)

// fileName compares the name with what the file holds. The day is that of the time somewhere on earth.
func (r *reading) fileName(generated time.Time) {
	m := fileForm.FindStringSubmatch(r.file.Name)
	if m == nil {
		r.problem("the name is not GSP_CARD_SETTLEMENT_REPORT_V1-{settlementId}-{account}-{day}-{generation timestamp}")
		return
	}
	if m[1] != r.file.SettlementID+"-"+r.file.Account {
		r.problem("the name has another settlementId or account than the file")
	}
	if generated.IsZero() {
		return
	}
	ms := generated.UnixMilli()
	if m[3] != strconv.FormatInt(ms, 10) && m[3] != strconv.FormatInt(ms/1000, 10) {
		r.problem("the name has another time than the file")
	}
	first, last := generated.Add(-12*time.Hour).Format(time.DateOnly), generated.Add(14*time.Hour).Format(time.DateOnly)
	if m[2] < first || m[2] > last {
		r.problem("the name has another day than the file")
	}
}
