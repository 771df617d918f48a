package My::Queue;
use strict;
use warnings;

our $VERSION = '1.0';

# Make an empty queue.
sub new {
    my ($class) = @_;
    return bless { items => [] }, $class;
}

sub push {
    my ($self, $item) = @_;
    push @{ $self->{items} }, $item;
}

1;
