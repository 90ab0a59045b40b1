// Generated from avro/ by scripts/generate-events.ts. Do not edit.

/** Milliseconds since the epoch (Avro timestamp-millis). */
export type EpochMs = number;

/** What a notification tells. */
export type NotificationType = 'PAYMENT_COMPLETED' | 'PAYMENT_FAILED';

/** How a notification is delivered. */
export type NotificationChannel = 'EMAIL';

/** Why an order is cancelled. */
export type CancellationReason = 'PRODUCT_UNKNOWN' | 'STOCK_SHORT' | 'PAYMENT_DECLINED';

/** Where an order came from. A reader takes a symbol that it does not know for UNKNOWN. */
export type OrderChannel = 'UNKNOWN' | 'WEB' | 'MOBILE' | 'PARTNER';

/** Why a shipment cannot be recorded on its order. */
export type UnmatchedReason = 'ORDER_UNKNOWN' | 'ORDER_CANCELLED' | 'ORDER_SHIPPED_OTHERWISE';

/** Why a payment is declined. */
export type DeclineReason = 'AMOUNT_LIMIT_EXCEEDED';

/** Why held stock is released. */
export type ReleaseReason = 'ORDER_CANCELLED' | 'EXPIRED';

/** A customer was told about the payment of an order. */
export interface NotificationSent {
  /** The notification's id. */
  readonly notificationId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** The payment it tells about. */
  readonly paymentId: string;
  /** What it tells. */
  readonly type: NotificationType;
  /** How it was delivered. */
  readonly channel: NotificationChannel;
  /** The text, without personal data. */
  readonly message: string;
  /** When it was handed over for delivery. */
  readonly sentAt: EpochMs;
}

/** Every event of the notification stream. */
export type NotificationEvent =
  | { readonly type: 'NotificationSent'; readonly data: NotificationSent };

/** The order ended without being shipped. */
export interface OrderCancelled {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Why it was cancelled. */
  readonly reason: CancellationReason;
  /** One sentence for people, without personal data. */
  readonly detail: string;
  /** When it was cancelled. */
  readonly cancelledAt: EpochMs;
}

/** A customer's purchase request was accepted. */
export interface OrderCreated {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** The product's id. */
  readonly productId: string;
  /** Units ordered, at least 1. */
  readonly quantity: number;
  /** When the order was accepted. */
  readonly createdAt: EpochMs;
  /** Where the order came from. Since v2; UNKNOWN for orders of v1. */
  readonly channel: OrderChannel;
  /** Until when the shop promises to dispatch the order. Since v2; an upcaster fills it in for orders of v1. */
  readonly dispatchBy: EpochMs;
}

/** The payment service confirmed the payment of the order. */
export interface OrderPaid {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** The payment that paid the order. */
  readonly paymentId: string;
  /** When the order learnt of the payment. */
  readonly paidAt: EpochMs;
}

/** Shipping dispatched the order. */
export interface OrderShipped {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** The shipment that carries the order. */
  readonly shipmentId: string;
  /** Who carries it. */
  readonly carrier: string;
  /** The carrier's tracking number. */
  readonly trackingNumber: string;
  /** When the order learnt of the dispatch. */
  readonly shippedAt: EpochMs;
}

/** Stock is held for the order and its payment is due. */
export interface PaymentStarted {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Price of one unit when the stock was held, in minor units. */
  readonly unitPriceMinor: number;
  /** Amount in minor units of the currency (cents). */
  readonly amountMinor: number;
  /** ISO 4217 code of the amount. */
  readonly currency: string;
  /** Until when product holds the stock unless the order is paid. */
  readonly reservedUntil: EpochMs;
  /** When payment became due. */
  readonly startedAt: EpochMs;
}

/** Something was dispatched that this order cannot be shipped by. It changes nothing about the order: somebody has to look. */
export interface ShipmentUnmatched {
  /** The order that the shipment names; there need not be one. */
  readonly orderId: string;
  /** The shipment. */
  readonly shipmentId: string;
  /** Who carries it. */
  readonly carrier: string;
  /** The carrier's tracking number. */
  readonly trackingNumber: string;
  /** Why it cannot be recorded. */
  readonly reason: UnmatchedReason;
  /** When it was recorded. */
  readonly recordedAt: EpochMs;
}

/** Every event of the order stream. */
export type OrderEvent =
  | { readonly type: 'OrderCancelled'; readonly data: OrderCancelled }
  | { readonly type: 'OrderCreated'; readonly data: OrderCreated }
  | { readonly type: 'OrderPaid'; readonly data: OrderPaid }
  | { readonly type: 'OrderShipped'; readonly data: OrderShipped }
  | { readonly type: 'PaymentStarted'; readonly data: PaymentStarted }
  | { readonly type: 'ShipmentUnmatched'; readonly data: ShipmentUnmatched };

/** The payment of an order succeeded. */
export interface PaymentCompleted {
  /** The payment's id. */
  readonly paymentId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** Amount in minor units of the currency (cents). */
  readonly amountMinor: number;
  /** ISO 4217 code of the amount. */
  readonly currency: string;
  /** When it succeeded. */
  readonly completedAt: EpochMs;
}

/** The payment of an order was declined for good. */
export interface PaymentFailed {
  /** The payment's id. */
  readonly paymentId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** Amount in minor units of the currency (cents). */
  readonly amountMinor: number;
  /** ISO 4217 code of the amount. */
  readonly currency: string;
  /** Why it was declined. */
  readonly reason: DeclineReason;
  /** When it was declined. */
  readonly failedAt: EpochMs;
}

/** A payment for an order was asked for. */
export interface PaymentInitiated {
  /** The payment's id. */
  readonly paymentId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** Amount in minor units of the currency (cents). */
  readonly amountMinor: number;
  /** ISO 4217 code of the amount. */
  readonly currency: string;
  /** When it was asked for. */
  readonly initiatedAt: EpochMs;
}

/** The order will never be paid: no payment had been made when it was given up. Whoever asks for one later is refused. */
export interface PaymentVoided {
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** When it was given up. */
  readonly voidedAt: EpochMs;
}

/** Every event of the payment stream. */
export type PaymentEvent =
  | { readonly type: 'PaymentCompleted'; readonly data: PaymentCompleted }
  | { readonly type: 'PaymentFailed'; readonly data: PaymentFailed }
  | { readonly type: 'PaymentInitiated'; readonly data: PaymentInitiated }
  | { readonly type: 'PaymentVoided'; readonly data: PaymentVoided };

/** A product entered the catalogue. */
export interface ProductAdded {
  /** The product's id. */
  readonly productId: string;
  /** Name shown to customers. */
  readonly name: string;
  /** One or two sentences shown to customers. */
  readonly description: string;
  /** Category, lower case. */
  readonly category: string;
  /** Price of one unit in minor units. */
  readonly priceMinor: number;
  /** ISO 4217 code of the price. */
  readonly currency: string;
  /** When it was added. */
  readonly addedAt: EpochMs;
}

/** Units of a product arrived in stock. */
export interface StockAdded {
  /** The product's id. */
  readonly productId: string;
  /** Units added, at least 1. */
  readonly quantity: number;
  /** When they arrived. */
  readonly addedAt: EpochMs;
}

/** Units held for an order have left the stock for good: the order is paid. */
export interface StockCommitted {
  /** The product's id. */
  readonly productId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Units that left. */
  readonly quantity: number;
  /** When they left. */
  readonly committedAt: EpochMs;
}

/** Units held for an order are available again. */
export interface StockReleased {
  /** The product's id. */
  readonly productId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Units released. */
  readonly quantity: number;
  /** Why they were released. */
  readonly reason: ReleaseReason;
  /** When they were released. */
  readonly releasedAt: EpochMs;
}

/** Units are held for one order until they are committed, released or the hold expires. */
export interface StockReserved {
  /** The product's id. */
  readonly productId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Units held. */
  readonly quantity: number;
  /** Price of one unit that the hold guarantees, in minor units. */
  readonly unitPriceMinor: number;
  /** ISO 4217 code of the price. */
  readonly currency: string;
  /** When the hold began. */
  readonly reservedAt: EpochMs;
  /** When the hold may be released if the order is not paid. */
  readonly expiresAt: EpochMs;
}

/** Every event of the product stream. */
export type ProductEvent =
  | { readonly type: 'ProductAdded'; readonly data: ProductAdded }
  | { readonly type: 'StockAdded'; readonly data: StockAdded }
  | { readonly type: 'StockCommitted'; readonly data: StockCommitted }
  | { readonly type: 'StockReleased'; readonly data: StockReleased }
  | { readonly type: 'StockReserved'; readonly data: StockReserved };

/** A paid order left the warehouse. */
export interface ShipmentDispatched {
  /** The shipment's id. */
  readonly shipmentId: string;
  /** The order this fact belongs to. */
  readonly orderId: string;
  /** Pseudonymous id of the customer: the subject of their token. */
  readonly customerId: string;
  /** Who carries it. */
  readonly carrier: string;
  /** The carrier's tracking number. */
  readonly trackingNumber: string;
  /** When it left. */
  readonly dispatchedAt: EpochMs;
}

/** Every event of the shipping stream. */
export type ShippingEvent =
  | { readonly type: 'ShipmentDispatched'; readonly data: ShipmentDispatched };

/** The Avro schemas as they are registered, by aggregate and event type. */
export const eventSchemas = {
  notification: {
    NotificationSent: {"type":"record","name":"NotificationSent","namespace":"parley.notification","doc":"A customer was told about the payment of an order.","fields":[{"name":"notificationId","type":{"type":"string","logicalType":"uuid"},"doc":"The notification's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"paymentId","type":{"type":"string","logicalType":"uuid"},"doc":"The payment it tells about."},{"name":"type","type":{"type":"enum","name":"NotificationType","namespace":"parley.notification","symbols":["PAYMENT_COMPLETED","PAYMENT_FAILED"],"doc":"What a notification tells."},"doc":"What it tells."},{"name":"channel","type":{"type":"enum","name":"NotificationChannel","namespace":"parley.notification","symbols":["EMAIL"],"doc":"How a notification is delivered."},"doc":"How it was delivered."},{"name":"message","type":"string","doc":"The text, without personal data."},{"name":"sentAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was handed over for delivery."}]},
  },
  order: {
    OrderCancelled: {"type":"record","name":"OrderCancelled","namespace":"parley.order","doc":"The order ended without being shipped.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"reason","type":{"type":"enum","name":"CancellationReason","namespace":"parley.order","symbols":["PRODUCT_UNKNOWN","STOCK_SHORT","PAYMENT_DECLINED"],"doc":"Why an order is cancelled."},"doc":"Why it was cancelled."},{"name":"detail","type":"string","doc":"One sentence for people, without personal data."},{"name":"cancelledAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was cancelled."}]},
    OrderCreated: {"type":"record","name":"OrderCreated","namespace":"parley.order","doc":"A customer's purchase request was accepted.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"productId","type":"string","doc":"The product's id."},{"name":"quantity","type":"int","doc":"Units ordered, at least 1."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the order was accepted."},{"name":"channel","type":{"type":"enum","name":"OrderChannel","namespace":"parley.order","symbols":["UNKNOWN","WEB","MOBILE","PARTNER"],"default":"UNKNOWN","doc":"Where an order came from. A reader takes a symbol that it does not know for UNKNOWN."},"default":"UNKNOWN","doc":"Where the order came from. Since v2; UNKNOWN for orders of v1."},{"name":"dispatchBy","type":{"type":"long","logicalType":"timestamp-millis"},"default":0,"doc":"Until when the shop promises to dispatch the order. Since v2; an upcaster fills it in for orders of v1."}]},
    OrderPaid: {"type":"record","name":"OrderPaid","namespace":"parley.order","doc":"The payment service confirmed the payment of the order.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"paymentId","type":{"type":"string","logicalType":"uuid"},"doc":"The payment that paid the order."},{"name":"paidAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the order learnt of the payment."}]},
    OrderShipped: {"type":"record","name":"OrderShipped","namespace":"parley.order","doc":"Shipping dispatched the order.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"shipmentId","type":{"type":"string","logicalType":"uuid"},"doc":"The shipment that carries the order."},{"name":"carrier","type":"string","doc":"Who carries it."},{"name":"trackingNumber","type":"string","doc":"The carrier's tracking number."},{"name":"shippedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the order learnt of the dispatch."}]},
    PaymentStarted: {"type":"record","name":"PaymentStarted","namespace":"parley.order","doc":"Stock is held for the order and its payment is due.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"unitPriceMinor","type":"long","doc":"Price of one unit when the stock was held, in minor units."},{"name":"amountMinor","type":"long","doc":"Amount in minor units of the currency (cents)."},{"name":"currency","type":"string","doc":"ISO 4217 code of the amount."},{"name":"reservedUntil","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"Until when product holds the stock unless the order is paid."},{"name":"startedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When payment became due."}]},
    ShipmentUnmatched: {"type":"record","name":"ShipmentUnmatched","namespace":"parley.order","doc":"Something was dispatched that this order cannot be shipped by. It changes nothing about the order: somebody has to look.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order that the shipment names; there need not be one."},{"name":"shipmentId","type":{"type":"string","logicalType":"uuid"},"doc":"The shipment."},{"name":"carrier","type":"string","doc":"Who carries it."},{"name":"trackingNumber","type":"string","doc":"The carrier's tracking number."},{"name":"reason","type":{"type":"enum","name":"UnmatchedReason","namespace":"parley.order","symbols":["ORDER_UNKNOWN","ORDER_CANCELLED","ORDER_SHIPPED_OTHERWISE"],"doc":"Why a shipment cannot be recorded on its order."},"doc":"Why it cannot be recorded."},{"name":"recordedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was recorded."}]},
  },
  payment: {
    PaymentCompleted: {"type":"record","name":"PaymentCompleted","namespace":"parley.payment","doc":"The payment of an order succeeded.","fields":[{"name":"paymentId","type":{"type":"string","logicalType":"uuid"},"doc":"The payment's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"amountMinor","type":"long","doc":"Amount in minor units of the currency (cents)."},{"name":"currency","type":"string","doc":"ISO 4217 code of the amount."},{"name":"completedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it succeeded."}]},
    PaymentFailed: {"type":"record","name":"PaymentFailed","namespace":"parley.payment","doc":"The payment of an order was declined for good.","fields":[{"name":"paymentId","type":{"type":"string","logicalType":"uuid"},"doc":"The payment's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"amountMinor","type":"long","doc":"Amount in minor units of the currency (cents)."},{"name":"currency","type":"string","doc":"ISO 4217 code of the amount."},{"name":"reason","type":{"type":"enum","name":"DeclineReason","namespace":"parley.payment","symbols":["AMOUNT_LIMIT_EXCEEDED"],"doc":"Why a payment is declined."},"doc":"Why it was declined."},{"name":"failedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was declined."}]},
    PaymentInitiated: {"type":"record","name":"PaymentInitiated","namespace":"parley.payment","doc":"A payment for an order was asked for.","fields":[{"name":"paymentId","type":{"type":"string","logicalType":"uuid"},"doc":"The payment's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"amountMinor","type":"long","doc":"Amount in minor units of the currency (cents)."},{"name":"currency","type":"string","doc":"ISO 4217 code of the amount."},{"name":"initiatedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was asked for."}]},
    PaymentVoided: {"type":"record","name":"PaymentVoided","namespace":"parley.payment","doc":"The order will never be paid: no payment had been made when it was given up. Whoever asks for one later is refused.","fields":[{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"voidedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was given up."}]},
  },
  product: {
    ProductAdded: {"type":"record","name":"ProductAdded","namespace":"parley.product","doc":"A product entered the catalogue.","fields":[{"name":"productId","type":"string","doc":"The product's id."},{"name":"name","type":"string","doc":"Name shown to customers."},{"name":"description","type":"string","doc":"One or two sentences shown to customers."},{"name":"category","type":"string","doc":"Category, lower case."},{"name":"priceMinor","type":"long","doc":"Price of one unit in minor units."},{"name":"currency","type":"string","doc":"ISO 4217 code of the price."},{"name":"addedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was added."}]},
    StockAdded: {"type":"record","name":"StockAdded","namespace":"parley.product","doc":"Units of a product arrived in stock.","fields":[{"name":"productId","type":"string","doc":"The product's id."},{"name":"quantity","type":"int","doc":"Units added, at least 1."},{"name":"addedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When they arrived."}]},
    StockCommitted: {"type":"record","name":"StockCommitted","namespace":"parley.product","doc":"Units held for an order have left the stock for good: the order is paid.","fields":[{"name":"productId","type":"string","doc":"The product's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"quantity","type":"int","doc":"Units that left."},{"name":"committedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When they left."}]},
    StockReleased: {"type":"record","name":"StockReleased","namespace":"parley.product","doc":"Units held for an order are available again.","fields":[{"name":"productId","type":"string","doc":"The product's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"quantity","type":"int","doc":"Units released."},{"name":"reason","type":{"type":"enum","name":"ReleaseReason","namespace":"parley.product","symbols":["ORDER_CANCELLED","EXPIRED"],"doc":"Why held stock is released."},"doc":"Why they were released."},{"name":"releasedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When they were released."}]},
    StockReserved: {"type":"record","name":"StockReserved","namespace":"parley.product","doc":"Units are held for one order until they are committed, released or the hold expires.","fields":[{"name":"productId","type":"string","doc":"The product's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"quantity","type":"int","doc":"Units held."},{"name":"unitPriceMinor","type":"long","doc":"Price of one unit that the hold guarantees, in minor units."},{"name":"currency","type":"string","doc":"ISO 4217 code of the price."},{"name":"reservedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the hold began."},{"name":"expiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the hold may be released if the order is not paid."}]},
  },
  shipping: {
    ShipmentDispatched: {"type":"record","name":"ShipmentDispatched","namespace":"parley.shipping","doc":"A paid order left the warehouse.","fields":[{"name":"shipmentId","type":{"type":"string","logicalType":"uuid"},"doc":"The shipment's id."},{"name":"orderId","type":{"type":"string","logicalType":"uuid"},"doc":"The order this fact belongs to."},{"name":"customerId","type":"string","doc":"Pseudonymous id of the customer: the subject of their token."},{"name":"carrier","type":"string","doc":"Who carries it."},{"name":"trackingNumber","type":"string","doc":"The carrier's tracking number."},{"name":"dispatchedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it left."}]},
  },
} as const;
