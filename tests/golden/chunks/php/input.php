<?php

declare(strict_types=1);

namespace App\Mail;

use Psr\Log\LoggerInterface;

const DEFAULT_PORT = 25;

/**
 * Something that sends mail.
 */
interface Transport
{
    public function send(Message $message): bool;
}

trait Retries
{
    protected int $retries = 3;

    protected function retry(callable $action): mixed
    {
        return $action();
    }
}

enum Priority: string
{
    case High = 'high';
    case Low = 'low';
}

/**
 * Sends mail by SMTP.
 */
#[Service]
final class SmtpTransport implements Transport
{
    use Retries;

    public const TIMEOUT = 10;

    private ?LoggerInterface $logger = null;

    public function __construct(private string $host, private int $port = DEFAULT_PORT)
    {
    }

    /** Send one message and say whether it was accepted. */
    public function send(Message $message): bool
    {
        $socket = fsockopen($this->host, $this->port, $code, $error, self::TIMEOUT);
        if ($socket === false) {
            $this->logger?->error($error);
            return false;
        }
        fwrite($socket, "MAIL FROM: {$message->sender}\r\n");
        foreach ($message->recipients as $recipient) {
            fwrite($socket, "RCPT TO: {$recipient}\r\n");
        }
        fclose($socket);
        return true;
    }
}

function mailer(string $dsn): Transport
{
    return new SmtpTransport($dsn);
}

define('MAIL_VERSION', '1.0');
