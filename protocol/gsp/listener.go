package gsp

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// TLSConfig takes the cipher suites of gsp-core §1.1 and nothing else; Go's own list for TLS 1.2 would add AES-256. Version 1.3 brings its
// own suites, all of them good. Maximum is settable to 1.2, for a prober that insists on it (gsp-core O1). Client certificates are not
// asked for: the messages are signed (§1.1).
func TLSConfig(cert tls.Certificate, minimum, maximum uint16) (*tls.Config, error) {
	if minimum < tls.VersionTLS12 || maximum < minimum || maximum > tls.VersionTLS13 {
		return nil, errors.New("gsp: TLS versions are 1.2 and 1.3")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   minimum,
		MaxVersion:   maximum,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		ClientAuth: tls.NoClientCert,
		NextProtos: []string{"h2", "http/1.1"},
	}, nil
}

// Listen speaks TLS on a listener. Who does not gets nothing: net/http would answer plain HTTP with a hint, in plain text.
func Listen(inner net.Listener, cfg *tls.Config) net.Listener {
	return tls.NewListener(silent{inner}, cfg)
}

type silent struct{ net.Listener }

func (l silent) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &silentConn{Conn: conn}, nil
}

// silentConn ends at a first byte that does not open a TLS handshake. Only the handshake reads first, so it needs no lock.
type silentConn struct {
	net.Conn
	begun bool
}

const handshakeRecord = 0x16 // RFC 8446 §5.1

var errNotTLS = errors.New("the first byte is not TLS")

func (c *silentConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.begun {
		if p[0] != handshakeRecord {
			_ = c.Close()
			return 0, errNotTLS
		}
		c.begun = true
	}
	return n, err
}

// HTTPServer bounds what one connection can hold: time, header bytes, streams.
func HTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		DisableGeneralOptionsHandler: true, // OPTIONS * is an unknown route like any other
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  15 * time.Second,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               16 << 10,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: 100},
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug), // failed handshakes; strangers write them
	}
}
