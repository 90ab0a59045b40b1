export { foldPayment, payments, type PaymentRow } from './payments.ts';
