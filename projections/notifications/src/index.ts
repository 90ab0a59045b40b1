export {
  foldNotification,
  notifications,
  type NotificationEntry,
  type NotificationsRow,
} from './notifications.ts';
