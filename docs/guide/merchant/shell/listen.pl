#!/usr/bin/perl
# listen.pl PORT_FILE COMMAND ...   answers each POST on a free port with what COMMAND prints for its body: a stand-in for a web server.
use strict;
use warnings;
use IO::Socket::INET;
use IPC::Open2;
use POSIX qw(SIGTERM SIG_BLOCK SIG_UNBLOCK sigprocmask);

my ($file, @command) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "no port: $!";
open my $port, '>', "$file.new" or die $!;
print $port $server->sockport;
close $port;
rename "$file.new", $file or die $!;
my $end = POSIX::SigSet->new(SIGTERM);
while (my $peer = $server->accept) {
	sigprocmask(SIG_BLOCK, $end); # an answer that was begun is finished
	my $length = 0;
	while (my $line = <$peer>) {
		last if $line =~ /^\r?\n$/;
		$length = $1 if $line =~ /^content-length:\s*(\d+)/i;
	}
	read $peer, my ($body), $length;
	my $child = open2(my $out, my $in, @command);
	print $in $body;
	close $in;
	my $answer = join('', <$out>);
	waitpid $child, 0;
	my $size = length $answer;
	print $peer "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: $size\r\n\r\n$answer";
	close $peer;
	sigprocmask(SIG_UNBLOCK, $end);
}
