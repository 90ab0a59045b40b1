/** The account that RabbitMQ has by itself, which it lets in from the loopback address only: for development. */
export const rabbitmqAccount = 'guest:guest';

/** The same as the Authorization header of its management API. */
export const rabbitmqAuthorization = `Basic ${Buffer.from(rabbitmqAccount).toString('base64')}`;
